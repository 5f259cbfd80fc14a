-- number of a life, first slot, user… with a letter before each: n shown, h receipts off, and d alone for a deleted one
local base, first = KEYS[1] .. ARGV[1], tonumber(ARGV[2])
for at = 3, #ARGV do
  local slot, letter, user = string.format('%d', first + at - 3), string.sub(ARGV[at], 1, 1), string.sub(ARGV[at], 2)
  if letter ~= 'n' then call('SADD', base .. 'h', slot) end
  if letter == 'd' then
    call('SADD', base .. 'd', slot)
  else
    call('HSET', base .. 's', user, slot)
    call('HSET', base .. 'n', slot, user)
  end
end
call('HSET', KEYS[1], 'k', string.format('%d', first + #ARGV - 2))
return 0
