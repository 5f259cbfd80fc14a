-- 1 for off and 0 for on, user… : in this conversation, who are in it
local base = life()
if not base then return 0 end
call('EXISTS', base .. 'h', base .. 'u')
local found = 0
for at = 2, #ARGV do
  local slot = call('HGET', base .. 's', ARGV[at])
  if slot then
    found = found + call(ARGV[1] == '1' and 'SADD' or 'SREM', base .. 'h', slot)
  end
end
return found
