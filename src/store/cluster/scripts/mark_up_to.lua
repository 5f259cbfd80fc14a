-- now s, reader, order, after (an order, or '-inf'), most : new, already, the next part's after or ''
local base = life()
local slot = base and call('HGET', base .. 's', ARGV[2])
if not slot then return { 0, 0, '' } end
slot = tonumber(slot)
if call('SISMEMBER', base .. 'u', slot) == 1 then return look_up_first({ ARGV[2] }) end
local now, most = tonumber(ARGV[1]), tonumber(ARGV[5])
local is_silent = call('SISMEMBER', base .. 'h', slot) == 1
local after = behind(ARGV[4])
local ids = call('ZRANGE', base .. 'o', after, ARGV[3], 'BYSCORE', 'LIMIT', 0, most, 'WITHSCORES')
local new, already = 0, 0
for at = 1, #ids, 2 do
  local flags, _, _, _, _, sender, _, audience = look(base, ids[at], now)
  if flags and slot ~= sender and call('GETBIT', base .. 'a' .. audience, slot) == 1 then
    local key = base .. 'm' .. ids[at]
    local had
    if is_silent then had = call('GETBIT', key, BITS + slot) else had = call('SETBIT', key, BITS + slot, 1) end
    if had == 1 then already = already + 1 else new = new + 1 end
  end
end
return { new, already, #ids == 2 * most and ids[#ids] or '' }
