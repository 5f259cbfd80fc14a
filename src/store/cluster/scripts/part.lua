-- Takes a user's name and place away : the slots whose messages are still to be forgotten
-- user
local base = life()
if not base then return {} end
local user = ARGV[1]
call('EXISTS', base .. 's', base .. 'n', base .. 'h', base .. 'd', base .. 'g', base .. 'u', base .. 'r')
local slot = call('HGET', base .. 's', user)
if slot then
  call('HDEL', base .. 's', user)
  call('HDEL', base .. 'n', slot)
  call('SREM', base .. 'u', slot)
  for _, set in ipairs({ 'h', 'd', 'g' }) do call('SADD', base .. set, slot) end
  local roster = call('GET', base .. 'r') or ''
  if has(roster, tonumber(slot)) then
    local bytes, top = unpacked(roster)
    local at = math.floor(slot / 8)
    bytes[at] = bit.bxor(bytes[at], bit.lshift(1, 7 - slot % 8))
    set_roster(base, packed(bytes, top), tonumber(call('HGET', KEYS[1], 'c')) - 1)
  end
end
return call('SMEMBERS', base .. 'g')
