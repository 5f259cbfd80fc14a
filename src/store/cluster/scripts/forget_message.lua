-- now s, message
local base = life()
if not base or not look(base, ARGV[2], tonumber(ARGV[1])) then return 0 end
call('EXISTS', base .. 'o', base .. 'e')
call('ZREM', base .. 'o', ARGV[2])
call('ZREM', base .. 'e', ARGV[2])
return call('DEL', base .. 'm' .. ARGV[2])
