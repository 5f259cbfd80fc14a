-- Ends a conversation's life : its number, or nothing if there was none. What it left is for `clear`.
local number = call('HGET', KEYS[1], 'i')
if number then call('DEL', KEYS[1]) end
return number
