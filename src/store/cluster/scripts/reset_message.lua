-- now s, message, generation : 1, or 0 if it is unknown
local base = life()
if not base then return 0 end
local flags, generation, order, ends, within, sender, of, audience = look(base, ARGV[2], tonumber(ARGV[1]))
if not flags then return 0 end
-- One that comes late, and was sent again meanwhile, takes nothing back.
if struct.unpack('>I8', generation) < struct.unpack('>I8', ARGV[3]) then
  local header = struct.pack(FORMAT, flags, ARGV[3], order, ends, within, sender, of, audience)
  call('SET', base .. 'm' .. ARGV[2], header, 'KEEPTTL')
end
return 1
