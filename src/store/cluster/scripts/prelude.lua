-- What every script begins with. KEYS[1] is the head of a conversation, a hash; all its other keys begin with the head's
-- name and the number of its life, so that what a forgotten conversation left behind is never found again:
--
--   s  hash: slot of each user        n  hash: user of each slot       r  string: roster, a bit a slot
--   o  sorted set: messages by order  e  sorted set: by their end, those that end before an earlier one
--   h  set: slots that count nowhere  d  set: those of them whose user was deleted
--   g  set: deleted slots whose messages are still to be forgotten
--   u  set: fresh slots, of whose users it is not known yet whether their receipts are off: they count nowhere until it is
--   m<id>  string: a message's header, and behind it a bit for each slot that has read it
--   a<sha1>  string: an audience, a bit a slot
--   z  what was the head of a life that has ended, for an hour
--
-- Fields of the head: i life, v version of the roster, c members, a name of the roster as an audience, k slots given,
-- o highest order, x latest end.
--
-- A script looks at each key that it will write before it writes the first: while a slot of the cluster moves, a key that
-- has moved ends the script, and nothing may be half done then.

local HEADER, BITS = 57, 456
local FORMAT = '>Bc8ddI4I4I4c20'
local call = redis.call

local function life()
  local number = call('HGET', KEYS[1], 'i')
  return number and (KEYS[1] .. number)
end

-- Header of a live message: flags, generation, order, end, expires_in_s, sender, asked, audience; nothing if it is unknown.
local function look(base, id, now)
  local raw = call('GETRANGE', base .. 'm' .. id, 0, HEADER - 1)
  if #raw < HEADER then return end
  local flags, generation, order, ends, within, sender, of, audience = struct.unpack(FORMAT, raw)
  if now < ends then return flags, generation, order, ends, within, sender, of, audience end
end

local function has(bits, slot)
  local byte = string.byte(bits, math.floor(slot / 8) + 1)
  return byte ~= nil and bit.band(byte, bit.lshift(1, 7 - slot % 8)) ~= 0
end

-- A string of bits from the bytes of a table, without zeros at its end.
local function packed(bytes, top)
  while top >= 0 and (bytes[top] or 0) == 0 do top = top - 1 end
  local out = {}
  for at = 0, top do out[at + 1] = string.char(bytes[at] or 0) end
  return table.concat(out)
end

local function unpacked(bits)
  local bytes = {}
  for at = 1, #bits do bytes[at - 1] = string.byte(bits, at) end
  return bytes, #bits - 1
end

local function bits_of(slots)
  local bytes, top = {}, -1
  for _, slot in ipairs(slots) do
    local at = math.floor(slot / 8)
    bytes[at] = bit.bor(bytes[at] or 0, bit.lshift(1, 7 - slot % 8))
    if at > top then top = at end
  end
  return packed(bytes, top)
end

-- Calls `command key` with many values, a thousand at a time.
local function in_parts(command, key, values, each)
  for from = 1, #values, 1000 do
    local answer = call(command, key, unpack(values, from, math.min(from + 999, #values)))
    if each then each(from, answer) end
  end
end

-- The slots of users, with the next free ones for those who have none, whose names are returned as well. Gives nothing yet.
local function find(base, users)
  local slots, fresh = {}, {}
  local next_slot = tonumber(call('HGET', KEYS[1], 'k') or '0')
  in_parts('HMGET', base .. 's', users, function(from, known)
    for at, slot in ipairs(known) do
      if slot then
        slots[from + at - 1] = tonumber(slot)
      else
        slots[from + at - 1] = next_slot + #fresh
        fresh[#fresh + 1] = users[from + at - 1]
      end
    end
  end)
  return slots, fresh
end

-- Gives slots to those whom `find` found without.
local function give(base, fresh)
  if #fresh == 0 then return end
  local next_slot = tonumber(call('HGET', KEYS[1], 'k') or '0')
  local slots, names = {}, {}
  for at, user in ipairs(fresh) do
    local slot = string.format('%d', next_slot + at - 1)
    slots[2 * at - 1], slots[2 * at] = user, slot
    names[2 * at - 1], names[2 * at] = slot, user
  end
  in_parts('HSET', base .. 's', slots)
  in_parts('HSET', base .. 'n', names)
  local given = {}
  for at = 1, #fresh do given[at] = slots[2 * at] end
  in_parts('SADD', base .. 'u', given)
  call('HSET', KEYS[1], 'k', string.format('%d', next_slot + #fresh))
end

-- Begins the conversation's life, if it has not begun.
local function begin(base, number)
  if not base then call('HSET', KEYS[1], 'i', number) end
end

local function raw_sha1(bits)
  return (string.gsub(redis.sha1hex(bits), '%x%x', function(hex) return string.char(tonumber(hex, 16)) end))
end

-- Makes `bits` the roster of `members`; the version it has then.
local function set_roster(base, bits, members)
  local version = tonumber(call('HGET', KEYS[1], 'v') or '0')
  if version > 0 and call('GET', base .. 'r') == bits then return version end
  call('SET', base .. 'r', bits)
  version = version + 1
  call('HSET', KEYS[1], 'v', string.format('%d', version), 'c', members, 'a', raw_sha1(bits))
  return version
end

-- What a write answers that would begin a conversation's life, and was not given the number of one that is listed.
local LIST_FIRST = { -2 }

-- Whether a life of this number may begin.
local function may_begin(number)
  return number ~= '' and call('EXISTS', KEYS[1] .. number .. 'z') == 0
end

-- Users who are still to be looked up among those whose receipts are off.
local function fresh_users(base)
  local users = {}
  in_parts('HMGET', base .. 'n', call('SMEMBERS', base .. 'u'), function(_, names)
    for _, name in ipairs(names) do users[#users + 1] = name end
  end)
  return users
end

-- What is answered as long as that is not known of users whom it depends on: they are to be looked up first.
local function look_up_first(users)
  return { -3, users }
end

-- Whether the viewer, a slot or nobody for an app, may see a message.
local function is_seen(viewer, audience_too, base, sender, audience)
  if viewer == nil or viewer == sender then return true end
  return audience_too and viewer ~= false and call('GETBIT', base .. 'a' .. audience, viewer) == 1
end

-- The slot of the viewer: nil for an app (''), false for a user without one.
local function viewer_slot(base, viewer)
  if viewer == '' then return nil end
  local slot = call('HGET', base .. 's', viewer)
  return slot and tonumber(slot)
end

-- The slots that count nowhere.
local function silent(base)
  local slots = call('SUNION', base .. 'h', base .. 'u')
  for at, slot in ipairs(slots) do slots[at] = tonumber(slot) end
  return slots
end

-- What is known of a message: generation, asked, marks, and of each asked slot that counts nowhere its number and whether
-- it has read, in 5 bytes. `cache` has audiences that were read before.
local function receipts(base, id, quiet, cache, generation, sender, of, audience)
  local key = base .. 'm' .. id
  local known = struct.pack('>c8I4I4', generation, of, call('BITCOUNT', key, HEADER, -1))
  if #quiet == 0 then return known end
  local asked = cache[audience]
  if not asked then
    asked = {}
    local bits = call('GET', base .. 'a' .. audience) or ''
    for _, slot in ipairs(quiet) do
      if has(bits, slot) then asked[#asked + 1] = slot end
    end
    cache[audience] = asked
  end
  if #asked == 0 then return known end
  local read = call('GETRANGE', key, HEADER, -1)
  local parts = { known }
  for _, slot in ipairs(asked) do
    if slot ~= sender then
      parts[#parts + 1] = struct.pack('>I4B', slot, has(read, slot) and 1 or 0)
    end
  end
  return table.concat(parts)
end

-- Forgets the first messages of `index` whose end has come, up to `most`; says how many.
local function clean(base, now, index, most)
  local gone = 0
  while gone < most do
    local id = call('ZRANGE', base .. index, 0, 0)[1]
    if not id or look(base, id, now) then break end
    call('DEL', base .. 'm' .. id)
    call('ZREM', base .. 'o', id)
    call('ZREM', base .. 'e', id)
    gone = gone + 1
  end
  return gone
end

-- Keeps `key` for at least so many milliseconds more, or for good if it is for good.
local function keep(key, ms, is_new)
  if is_new then call('PEXPIRE', key, ms) else call('PEXPIRE', key, ms, 'GT') end
end

-- Appends the users of up to `most` slots behind `after` ('' for all) that have a bit in `bits` and are wanted; the slot that
-- the next part begins behind, or -1.
local function append_users(answer, base, bits, after, most, is_wanted)
  local slot, found, next_after = after == '' and 0 or tonumber(after) + 1, {}, -1
  while slot < 8 * #bits do
    if slot % 8 == 0 and string.byte(bits, slot / 8 + 1) == 0 then
      slot = slot + 8
    else
      if has(bits, slot) and is_wanted(slot) then
        if #found == most then
          next_after = tonumber(found[most])
          break
        end
        found[#found + 1] = string.format('%d', slot)
      end
      slot = slot + 1
    end
  end
  in_parts('HMGET', base .. 'n', found, function(_, names)
    for _, name in ipairs(names) do answer[#answer + 1] = name end
  end)
  return next_after
end

-- Where a range of orders begins that goes on behind `after`, an order or '-inf'.
local function behind(after)
  return after == '-inf' and after or ('(' .. after)
end

-- Puts a message into an index, which is kept for at least so many milliseconds.
local function index(key, id, score, ms)
  local is_new = call('EXISTS', key) == 0
  call('ZADD', key, string.format('%.0f', score), id)
  keep(key, ms, is_new)
end
