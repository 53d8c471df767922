#!lua flags=no-writes
-- peek: what a claim would take of a queue, and what waits behind that: chosen as a claim chooses, and not written.
--
-- ARGV[2] the queue, ARGV[3] how many at most. Answers the ids of those that are next, of those that are held back, and of scheduled ones.

local function look(queue, most, limit)
  return pick({ limit = limit, queues = { { queue, most } } })
end

-- All that would be next if everything were open, once these are gone. It reads as if these were wanted too: they may stand before the others.
local function heldBehind(queue, most, ids)
  local without = {}
  for _, id in ipairs(ids) do
    without[id] = true
  end
  anew.take()
  anew.rules()
  lookFor = { without = without }
  return look(queue, most, most - #ids)
end

-- So many at once, as long as their rows, with their payloads, are not too much.
local CHUNK = 20
local function scheduledOf(queue, most)
  local ids, list, bytes = call('ZRANGE', prefix .. 'scheduled', 0, limits.peekScheduledMax - 1), {}, 0
  for from = 1, #ids, CHUNK do
    if #list >= most or bytes > limits.bodiesBytesMax then break end
    local some = { unpack(ids, from, math.min(from + CHUNK - 1, #ids)) }
    load(some)
    for _, id in ipairs(some) do
      bytes = bytes + #(rows[id] or '')
      if #list < most and tasks[id] and shapes[tasks[id][SHAPE]][QUEUE] == queue then list[#list + 1] = id end
    end
  end
  return list
end

return function()
  local queue, most = ARGV[2], tonumber(ARGV[3])
  packs.isLooking = true
  local ids = look(queue, most, most)
  local held = #ids < most and heldBehind(queue, most, ids) or {}
  local left = most - #ids - #held
  return { ids, held, left > 0 and scheduledOf(queue, left) or {} }
end
