-- number of a life : slots given, highest order or '', version of the roster or '', the roster; nothing if that life has ended
if call('HGET', KEYS[1], 'i') ~= ARGV[1] then return false end
local known = call('HMGET', KEYS[1], 'k', 'o', 'v')
return { tonumber(known[1] or '0'), known[2] or '', known[3] or '', call('GET', KEYS[1] .. ARGV[1] .. 'r') or '' }
