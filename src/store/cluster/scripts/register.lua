-- now s, number of a life that is listed or '' or, to count alone, '?', and of each message: id, sender, expires_in_s or '',
-- end s, order or '', generation, ms to keep, 'r' for the roster or 'a', how many users, user… :
-- of each outcome (0 new, 1 same, 2 differs, 3 no audience, 4 order passed, 5 not there), asked, order, end; and users to look up.
-- It stops before one that would begin a life that may not begin.
local now, number, base = tonumber(ARGV[1]), ARGV[2], life()

-- How many of an audience count, less the sender and those who count nowhere.
local function counted(home, of, audience, sent_by)
  local bits
  for _, slot in ipairs(silent(home)) do
    bits = bits or call('GET', home .. 'a' .. audience) or ''
    if slot ~= sent_by and has(bits, slot) then of = of - 1 end
  end
  return of
end

-- Whether the users sent are those of an audience, but for the deleted ones.
local function is_same_audience(audience, users)
  local slots, fresh = find(base, users)
  if #fresh > 0 then return false end
  local bytes, top = unpacked(call('GET', base .. 'a' .. audience) or '')
  for _, slot in ipairs(call('SMEMBERS', base .. 'd')) do
    local at, mask = math.floor(slot / 8), bit.lshift(1, 7 - slot % 8)
    if bytes[at] then bytes[at] = bit.band(bytes[at], bit.bnot(mask)) end
  end
  return packed(bytes, top) == bits_of(slots)
end

local function register(id, sender, within, ends, asked_order, generation, ms, by_roster, users)
  local flags = (asked_order ~= '' and 1 or 0) + (by_roster and 0 or 2) + (within ~= '' and 4 or 0)
  if base then
    local had, _, order, had_ends, had_within, had_sender, of, audience = look(base, id, now)
    if had then
      local same = had == flags
        and call('HGET', base .. 'n', string.format('%d', had_sender)) == sender
        and (within == '' or tonumber(within) == had_within)
        and (asked_order == '' or tonumber(asked_order) == order)
        and (by_roster or is_same_audience(audience, users))
      if not same then return { 2 } end
      return { 1, counted(base, of, audience, had_sender), order, had_ends }
    end
  end

  if number == '?' then return { 5 } end
  if by_roster and not (base and call('HGET', KEYS[1], 'v')) then return { 3 } end
  local highest = base and call('HGET', KEYS[1], 'o')
  local order = asked_order ~= '' and tonumber(asked_order) or (highest and tonumber(highest) + 1 or 1)
  if order > 9007199254740991 or (highest and order <= tonumber(highest)) then return { 4 } end

  if not base and not may_begin(number) then return nil end
  local home = base or (KEYS[1] .. number)
  local slots, fresh, bits, audience
  if by_roster then
    audience = call('HGET', KEYS[1], 'a')
    slots, fresh = find(home, { sender })
  else
    table.insert(users, 1, sender)
    slots, fresh = find(home, users)
    local asked = {}
    for at = 2, #slots do asked[at - 1] = slots[at] end
    bits = bits_of(asked)
    audience = raw_sha1(bits)
  end
  local sent_by, audience_key, key = slots[1], home .. 'a' .. audience, home .. 'm' .. id
  call('EXISTS', KEYS[1], home .. 's', home .. 'n', home .. 'u', home .. 'o', home .. 'e', audience_key, key)
  if base then
    clean(home, now, 'o', 8)
    clean(home, now, 'e', 8)
  end
  begin(base, number)
  give(home, fresh)
  if call('EXISTS', audience_key) == 1 then
    keep(audience_key, ms, false)
  else
    if by_roster then call('COPY', home .. 'r', audience_key) else call('SET', audience_key, bits) end
    keep(audience_key, ms, true)
  end
  local of = call('BITCOUNT', audience_key) - call('GETBIT', audience_key, sent_by)
  local within_s = within ~= '' and tonumber(within) or 0
  call('SET', key, struct.pack(FORMAT, flags, generation, order, ends, within_s, sent_by, of, audience), 'PX', ms)
  index(home .. 'o', id, order, ms)
  call('ZREM', home .. 'e', id)
  local latest = tonumber(call('HGET', KEYS[1], 'x') or '0')
  if ends < latest then index(home .. 'e', id, ends, ms) end
  call('HSET', KEYS[1], 'o', string.format('%.0f', order), 'x', string.format('%.0f', math.max(ends, latest)))
  return { 0, counted(home, of, audience, sent_by), order, ends }
end

local answers, at = {}, 3
while at <= #ARGV do
  local count, users = tonumber(ARGV[at + 8]), {}
  for user = 1, count do users[user] = ARGV[at + 8 + user] end
  local answer = register(ARGV[at], ARGV[at + 1], ARGV[at + 2], tonumber(ARGV[at + 3]), ARGV[at + 4], ARGV[at + 5],
    ARGV[at + 6], ARGV[at + 7] == 'r', users)
  if not answer then break end
  answers[#answers + 1] = answer
  base = life()
  at = at + 9 + count
end
return { answers, base and fresh_users(base) or {} }
