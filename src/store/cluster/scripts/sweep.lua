-- now s, most, number of a life : forgets what has expired; how many, how many messages are left, 1 if there may be more and -1 if
-- that life has ended
if call('HGET', KEYS[1], 'i') ~= ARGV[3] then return { 0, 0, -1 } end
local base, now, most = KEYS[1] .. ARGV[3], tonumber(ARGV[1]), tonumber(ARGV[2])
local gone = clean(base, now, 'o', most)
if gone < most then gone = gone + clean(base, now, 'e', most - gone) end
return { gone, call('ZCARD', base .. 'o'), gone == most and 1 or 0 }
