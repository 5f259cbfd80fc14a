-- now s, reader, 1 if by a user, message : its order; nothing if it is unknown to whoever marks
local base = life()
if not base then return false end
local flags, _, order, _, _, sender, _, audience = look(base, ARGV[4], tonumber(ARGV[1]))
if not flags then return false end
if ARGV[3] == '1' then
  local slot = call('HGET', base .. 's', ARGV[2])
  slot = slot and tonumber(slot)
  if not slot or (slot ~= sender and call('GETBIT', base .. 'a' .. audience, slot) == 0) then return false end
end
return string.format('%.0f', order)
