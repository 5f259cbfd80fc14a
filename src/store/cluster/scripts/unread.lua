-- now s, reader, after (an order, or '-inf'), most : how many, the first message or nothing, the next part's after or ''
local base = life()
local slot = base and call('HGET', base .. 's', ARGV[2])
if not slot then return { 0, false, '' } end
slot = tonumber(slot)
local now, most = tonumber(ARGV[1]), tonumber(ARGV[4])
local after = behind(ARGV[3])
local ids = call('ZRANGE', base .. 'o', after, '+inf', 'BYSCORE', 'LIMIT', 0, most, 'WITHSCORES')
local count, first = 0, false
for at = 1, #ids, 2 do
  local flags, _, _, _, _, sender, _, audience = look(base, ids[at], now)
  if flags and slot ~= sender and call('GETBIT', base .. 'a' .. audience, slot) == 1
    and call('GETBIT', base .. 'm' .. ids[at], BITS + slot) == 0 then
    count = count + 1
    first = first or ids[at]
  end
end
return { count, first, #ids == 2 * most and ids[#ids] or '' }
