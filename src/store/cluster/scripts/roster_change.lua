-- number of a life that is listed or '', most members, how many to add, user…, and the others are to remove :
-- members or -1 for too many, version, users to look up
local base, number, most, adds = life(), ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
if not base and not may_begin(number) then return LIST_FIRST end
local add, remove, removed = {}, {}, {}
for at = 4, 3 + adds do add[at - 3] = ARGV[at] end
for at = 4 + adds, #ARGV do
  remove[#remove + 1] = ARGV[at]
  removed[ARGV[at]] = true
end
local home = base or (KEYS[1] .. number)
call('EXISTS', KEYS[1], home .. 's', home .. 'n', home .. 'u', home .. 'r')
local slots, fresh = find(home, add)
local bytes, top = unpacked(call('GET', home .. 'r') or '')
local members = tonumber(call('HGET', KEYS[1], 'c') or '0')
local function set(slot, on)
  local at, mask = math.floor(slot / 8), bit.lshift(1, 7 - slot % 8)
  local was = bit.band(bytes[at] or 0, mask) ~= 0
  if was == on then return end
  bytes[at] = bit.bxor(bytes[at] or 0, mask)
  if at > top then top = at end
  members = members + (on and 1 or -1)
end
for at, user in ipairs(add) do
  if not removed[user] then set(slots[at], true) end
end
in_parts('HMGET', home .. 's', remove, function(_, known)
  for _, slot in ipairs(known) do
    if slot then set(tonumber(slot), false) end
  end
end)
if members > most then return { -1 } end
begin(base, number)
give(home, fresh)
local version = set_roster(home, packed(bytes, top), members)
return { members, version, fresh_users(home) }
