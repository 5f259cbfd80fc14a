-- Ends a conversation's life : its number, or nothing if there was none. What it left is for `clear`. For an hour it is
-- remembered that this life has ended: a write that was on its way does not begin it anew.
local number = call('HGET', KEYS[1], 'i')
if number then
  call('RENAME', KEYS[1], KEYS[1] .. number .. 'z')
  call('PEXPIRE', KEYS[1] .. number .. 'z', 3600000)
end
return number
