-- after or '', most : version, the next part's after or -1, user…; nothing without a roster
local base = life()
local version = base and call('HGET', KEYS[1], 'v')
if not version then return false end
local answer = { tonumber(version), -1 }
local everybody = function() return true end
answer[2] = append_users(answer, base, call('GET', base .. 'r'), ARGV[1], tonumber(ARGV[2]), everybody)
return answer
