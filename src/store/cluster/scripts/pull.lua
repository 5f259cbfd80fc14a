-- now s, viewer or '', 1 if the audience sees too, message… : of each what is known, or nothing
local base = life()
local answer = {}
if not base then
  for at = 4, #ARGV do answer[at - 3] = false end
  return answer
end
local fresh = fresh_users(base)
if #fresh > 0 then return look_up_first(fresh) end
local now, viewer, audience_too = tonumber(ARGV[1]), viewer_slot(base, ARGV[2]), ARGV[3] == '1'
local quiet, cache = silent(base), {}
for at = 4, #ARGV do
  local id = ARGV[at]
  local flags, generation, _, _, _, sender, of, audience = look(base, id, now)
  answer[at - 3] = flags and is_seen(viewer, audience_too, base, sender, audience)
    and receipts(base, id, quiet, cache, generation, sender, of, audience) or false
end
return answer
