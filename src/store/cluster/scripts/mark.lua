-- now s, reader, message… : a letter for each: n new, a already, x not asked, u unknown
local base = life()
if not base then return string.rep('u', #ARGV - 2) end
local now, slot = tonumber(ARGV[1]), call('HGET', base .. 's', ARGV[2])
slot = slot and tonumber(slot)
if slot and call('SISMEMBER', base .. 'u', slot) == 1 then return look_up_first({ ARGV[2] }) end
local is_silent = slot and call('SISMEMBER', base .. 'h', slot) == 1
local letters, seen = {}, {}
for at = 3, #ARGV do
  local id = ARGV[at]
  local flags, _, _, _, _, sender, _, audience = look(base, id, now)
  local letter = 'u'
  if flags then
    if not slot or slot == sender or call('GETBIT', base .. 'a' .. audience, slot) == 0 then
      letter = 'x'
    else
      letter = (seen[id] or call('GETBIT', base .. 'm' .. id, BITS + slot) == 1) and 'a' or 'n'
      seen[id] = true
    end
  end
  letters[at - 2] = letter
end
-- All of it is here: now it is written.
for at, letter in ipairs(letters) do
  if letter == 'n' and not is_silent then call('SETBIT', base .. 'm' .. ARGV[at + 2], BITS + slot, 1) end
end
return table.concat(letters)
