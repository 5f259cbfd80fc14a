-- number of a life, first slot, how many : user of each, or nothing where one was deleted
local slots = {}
for at = 1, tonumber(ARGV[3]) do slots[at] = string.format('%d', ARGV[2] + at - 1) end
return call('HMGET', KEYS[1] .. ARGV[1] .. 'n', unpack(slots))
