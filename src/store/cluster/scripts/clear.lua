-- number of a life that has ended, most : 1 if there may be more
local base, most = KEYS[1] .. ARGV[1], tonumber(ARGV[2])
if call('HGET', KEYS[1], 'i') == ARGV[1] then return 0 end
local ids = call('ZRANGE', base .. 'o', 0, most - 1)
for _, id in ipairs(ids) do
  local raw = call('GETRANGE', base .. 'm' .. id, 0, HEADER - 1)
  if #raw == HEADER then
    local _, _, _, _, _, _, _, audience = struct.unpack(FORMAT, raw)
    call('DEL', base .. 'm' .. id, base .. 'a' .. audience)
  end
  call('ZREM', base .. 'o', id)
end
if #ids == most then return 1 end
call('DEL', base .. 'o', base .. 'e', base .. 's', base .. 'n', base .. 'r', base .. 'h', base .. 'd', base .. 'g', base .. 'u')
return 0
