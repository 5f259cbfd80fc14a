-- number of a life, after (an order, or '-inf'), highest order, most :
-- the next part's after or '', each message's id and key, and each audience's name and bits
local base, after, most = KEYS[1] .. ARGV[1], behind(ARGV[2]), tonumber(ARGV[4])
local ids = call('ZRANGE', base .. 'o', after, ARGV[3], 'BYSCORE', 'LIMIT', 0, most, 'WITHSCORES')
local messages, audiences, seen = {}, {}, {}
for at = 1, #ids, 2 do
  local raw = call('GET', base .. 'm' .. ids[at])
  if raw and #raw >= HEADER then
    messages[#messages + 1] = ids[at]
    messages[#messages + 1] = raw
    local audience = string.sub(raw, HEADER - 19, HEADER)
    if not seen[audience] then
      seen[audience] = true
      audiences[#audiences + 1] = audience
      audiences[#audiences + 1] = call('GET', base .. 'a' .. audience) or ''
    end
  end
end
return { #ids == 2 * most and ids[#ids] or '', messages, audiences }
