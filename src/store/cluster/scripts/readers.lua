-- now s, viewer or '', 1 if the audience sees too, message, 1 for who has read and 0 for who has not, after or '', most :
-- what is known, the next part's after or -1, user…; nothing if it is unknown
local base = life()
if not base then return false end
local fresh = fresh_users(base)
if #fresh > 0 then return look_up_first(fresh) end
local viewer = viewer_slot(base, ARGV[2])
local flags, generation, _, _, _, sender, of, audience = look(base, ARGV[4], tonumber(ARGV[1]))
if not flags or not is_seen(viewer, ARGV[3] == '1', base, sender, audience) then return false end
local quiet = silent(base)
local known = receipts(base, ARGV[4], quiet, {}, generation, sender, of, audience)
local passed = { [sender] = true }
for _, slot in ipairs(quiet) do passed[slot] = true end
local asked = call('GET', base .. 'a' .. audience) or ''
local read = call('GETRANGE', base .. 'm' .. ARGV[4], HEADER, -1)
local wanted, most = ARGV[5] == '1', tonumber(ARGV[7])
local slot = ARGV[6] == '' and 0 or tonumber(ARGV[6]) + 1
local found, next_after = {}, -1
while slot < 8 * #asked do
  if slot % 8 == 0 and string.byte(asked, slot / 8 + 1) == 0 then
    slot = slot + 8
  else
    if has(asked, slot) and not passed[slot] and has(read, slot) == wanted then
      if #found == most then
        next_after = tonumber(found[most])
        break
      end
      found[#found + 1] = string.format('%d', slot)
    end
    slot = slot + 1
  end
end
local answer = { known, next_after }
in_parts('HMGET', base .. 'n', found, function(_, names)
  for _, name in ipairs(names) do answer[#answer + 1] = name end
end)
return answer
