-- after or '', most : version, the next part's after or -1, user…; nothing without a roster
local base = life()
local version = base and call('HGET', KEYS[1], 'v')
if not version then return false end
local bits, most = call('GET', base .. 'r'), tonumber(ARGV[2])
local slot = ARGV[1] == '' and 0 or tonumber(ARGV[1]) + 1
local found, next_after = {}, -1
while slot < 8 * #bits do
  if slot % 8 == 0 and string.byte(bits, slot / 8 + 1) == 0 then
    slot = slot + 8
  else
    if has(bits, slot) then
      if #found == most then
        next_after = tonumber(found[most])
        break
      end
      found[#found + 1] = string.format('%d', slot)
    end
    slot = slot + 1
  end
end
local answer = { tonumber(version), next_after }
in_parts('HMGET', base .. 'n', found, function(_, names)
  for _, name in ipairs(names) do answer[#answer + 1] = name end
end)
return answer
