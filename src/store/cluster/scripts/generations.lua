-- At least this, how many : the first of so many generations that were given to nobody
local first = math.max(tonumber(call('HGET', KEYS[1], 'generation') or '1'), tonumber(ARGV[1]))
call('HSET', KEYS[1], 'generation', string.format('%.0f', first + tonumber(ARGV[2])))
return string.format('%.0f', first)
