-- after (an order, or '-inf'), most, slot… : forgets messages that these sent; the next part's after, or '' at the end
local base = life()
if not base then return '' end
local senders = {}
for at = 3, #ARGV do senders[tonumber(ARGV[at])] = true end
local after, most = behind(ARGV[1]), tonumber(ARGV[2])
local ids = call('ZRANGE', base .. 'o', after, '+inf', 'BYSCORE', 'LIMIT', 0, most, 'WITHSCORES')
call('EXISTS', base .. 'e', base .. 'g')
for at = 1, #ids, 2 do
  local flags, _, _, _, _, sender = look(base, ids[at], 0)
  if flags and senders[sender] then
    call('ZREM', base .. 'o', ids[at])
    call('ZREM', base .. 'e', ids[at])
    call('DEL', base .. 'm' .. ids[at])
  end
end
if #ids == 2 * most then return ids[#ids] end
for at = 3, #ARGV do call('SREM', base .. 'g', ARGV[at]) end
return ''
