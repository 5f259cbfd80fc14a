-- now s, number of a life : 1 if this life goes on and has a roster or a live message, 0 if neither, -1 if it has ended
if call('HGET', KEYS[1], 'i') ~= ARGV[2] then return -1 end
if call('HGET', KEYS[1], 'v') then return 1 end
local base, from = KEYS[1] .. ARGV[2], 0
repeat
  local ids = call('ZRANGE', base .. 'o', from, from + 99, 'REV')
  for _, id in ipairs(ids) do
    if look(base, id, tonumber(ARGV[1])) then return 1 end
  end
  from = from + 100
until #ids < 100
return 0
