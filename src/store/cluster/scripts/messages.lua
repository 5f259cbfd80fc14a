-- now s, after (an order, or '-inf'), most, or '' and one message : of each id, sender, order, end, what is known of it
local base = life()
if not base then return {} end
local fresh = fresh_users(base)
if #fresh > 0 then return look_up_first(fresh) end
local now, quiet, cache, answer = tonumber(ARGV[1]), silent(base), {}, {}
local function add(id)
  local flags, generation, order, ends, _, sender, of, audience = look(base, id, now)
  if not flags then return end
  local name = call('HGET', base .. 'n', string.format('%d', sender))
  -- Of a sender who is being deleted nothing is shown.
  if not name then return end
  local known = receipts(base, id, quiet, cache, generation, sender, of, audience)
  answer[#answer + 1] = { id, name, string.format('%.0f', order), string.format('%.0f', ends), known }
end
if ARGV[2] == '' then
  add(ARGV[3])
  return answer
end
local after, most = behind(ARGV[2]), tonumber(ARGV[3])
repeat
  local ids = call('ZRANGE', base .. 'o', after, '+inf', 'BYSCORE', 'LIMIT', 0, most, 'WITHSCORES')
  for at = 1, #ids, 2 do
    if #answer < most then add(ids[at]) end
  end
  after = '(' .. (ids[#ids] or '')
until #answer >= most or #ids < 2 * most
return answer
