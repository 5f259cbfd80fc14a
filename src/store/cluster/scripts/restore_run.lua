-- number of a life, how many audiences, bits of each, and of each message: id, header without the audience, which audience
-- (from 1), bits of who has read it, ms to keep, order, end
local base, count = KEYS[1] .. ARGV[1], tonumber(ARGV[2])
local audiences = {}
for at = 1, count do audiences[at] = raw_sha1(ARGV[2 + at]) end
local latest = tonumber(call('HGET', KEYS[1], 'x') or '0')
for at = 3 + count, #ARGV, 7 do
  local id, header, audience, read, ms, order, ends = unpack(ARGV, at, at + 6)
  audience = tonumber(audience)
  local key = base .. 'a' .. audiences[audience]
  local is_new = call('EXISTS', key) == 0
  if is_new then call('SET', key, ARGV[2 + audience]) end
  keep(key, ms, is_new)
  call('SET', base .. 'm' .. id, header .. audiences[audience] .. read, 'PX', ms)
  index(base .. 'o', id, tonumber(order), ms)
  if tonumber(ends) < latest then index(base .. 'e', id, tonumber(ends), ms) end
  latest = math.max(tonumber(ends), latest)
end
call('HSET', KEYS[1], 'x', string.format('%.0f', latest))
return 0
