-- number of a life that is listed or '', user… : members, version, users to look up
local base, number = life(), ARGV[1]
if not base and not may_begin(number) then return LIST_FIRST end
local users = {}
for at = 2, #ARGV do users[at - 1] = ARGV[at] end
local home = base or (KEYS[1] .. number)
call('EXISTS', KEYS[1], home .. 's', home .. 'n', home .. 'u', home .. 'r')
local slots, fresh = find(home, users)
begin(base, number)
give(home, fresh)
local version = set_roster(home, bits_of(slots), #users)
return { #users, version, fresh_users(home) }
