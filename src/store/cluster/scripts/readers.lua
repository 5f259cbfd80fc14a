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
local wanted = ARGV[5] == '1'
local function is_wanted(slot) return not passed[slot] and has(read, slot) == wanted end
local answer = { known, -1 }
answer[2] = append_users(answer, base, asked, ARGV[6], tonumber(ARGV[7]), is_wanted)
return answer
