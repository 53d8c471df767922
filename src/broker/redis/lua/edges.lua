-- Edges between tasks: who waits for whom, and how many parents still hold a task back.
--
-- `edges:<child>` says of each parent o (open: not ended), d (done: holds nothing back) or f (failed: holds it back for good).
-- `children:<parent>` are the tasks that named it, by their ids; its head has the letter h then, so that no other end asks for them.
-- `waits` and `failed` count by child the edges that are not done, and those that failed. What a task depends on, in the
-- order in which it was said, is the text with the letter d: [[parent, onFailure], …]. `awaited` are ids that restored tasks wait for and
-- nobody knows yet.

-- What this call has brought about: tasks with children and tasks with parents that ended, blocked ones to look at, and those that
-- ended although nobody asked for them by name.
-- `left` is how many children are looked at for the sake of parents: one script holds up everybody.
local edges = {}

function anew.edges()
  edges.parents, edges.ended, edges.done = fresh(edges.parents), fresh(edges.ended), fresh(edges.done)
  edges.blocked, edges.finished, edges.passed = fresh(edges.blocked), fresh(edges.finished), fresh(edges.passed)
  edges.isOverdue, edges.left = false, limits.releaseMax
end

-- How an edge stands with its parent in this state; false for a parent that is gone.
function edges.letterOf(state, onFailure)
  if state == 'succeeded' then return 'd' end
  if state and not isFinished(state) then return 'o' end
  return onFailure == 'ignore' and 'd' or 'f'
end

-- Reads many tasks: a list may be longer than what one command carries.
function edges.load(ids, withRows)
  for from = 1, #ids, 4000 do
    load({ unpack(ids, from, math.min(from + 3999, #ids)) }, withRows)
  end
end

function edges.count(name, child)
  return (tonumber(call('HGET', prefix .. name, child)) or 0) + (sums[name] and sums[name][child] or 0)
end

-- The lists in a stored text, each of a name and what is no list behind it: numbers, or false for none, where they are rules. None in one that somebody wrote by
-- hand and that is something else: a script fails for nobody's task.
function edges.namedLists(text, areRules)
  local isRead, list = pcall(cjson.decode, text)
  if not isRead or type(list) ~= 'table' then return {} end
  for place, one in pairs(list) do
    if type(place) ~= 'number' or type(one) ~= 'table' or type(one[1]) ~= 'string' then return {} end
    for i = 2, areRules and 4 or #one do
      if type(one[i]) == 'table' or (areRules and one[i] ~= false and type(one[i]) ~= 'number') then return {} end
    end
  end
  return list
end

-- What a task depends on, as it was stored or is about to be.
function edges.dependsOn(child)
  local known = edges.parents[child]
  if not known then
    local text = tasks[child] and string.find(tasks[child][ASIDE], 'd', 1, true) and
      call('HGET', prefix .. 'parents', child)
    known = text and edges.namedLists(text) or {}
    edges.parents[child] = known
  end
  return known
end

function edges.of(child, parent)
  local name = 'edges:' .. child
  local new = puts[name] and puts[name][parent]
  if new ~= nil then return new end
  return call('HGET', prefix .. name, parent)
end

-- All edges of a child: letters by parents.
function edges.all(child)
  local name, letters = 'edges:' .. child, {}
  local found = call('HGETALL', prefix .. name)
  for i = 1, #found, 2 do
    letters[found[i]] = found[i + 1]
  end
  for parent, letter in pairs(puts[name] or {}) do
    letters[parent] = letter or nil
  end
  return letters
end

-- Stores how an edge stands now; false for one that is forgotten.
function edges.set(child, parent, letter)
  local before = edges.of(child, parent)
  if before == letter then return end
  local wasHeld, isHeld = before == 'o' or before == 'f', letter == 'o' or letter == 'f'
  if wasHeld ~= isHeld then add('waits', child, isHeld and 1 or -1) end
  if (before == 'f') ~= (letter == 'f') then add('failed', child, letter == 'f' and 1 or -1) end
  set(puts, 'edges:' .. child, parent, letter)
end

-- A new edge, with its child among those of the parent.
function edges.link(child, parent, letter)
  edges.set(child, parent, letter)
  set(scores, 'children:' .. parent, child, 0)
  local task = tasks[parent]
  if task and not has(task, 'h') then
    mark(task, 'h')
    dirty[parent] = task
  end
end

-- The children of a parent in the order of their ids: those behind `after`, where this is given, and about `most`. Answers also the id
-- behind which there may be more.
function edges.childrenOf(parent, after, most)
  local name, list, seen = 'children:' .. parent, {}, {}
  local new = scores[name] or {}
  local found = call('ZRANGE', prefix .. name, '(' .. (after or ''), '+', 'BYLEX', 'LIMIT', 0, most or -1)
  local last = most and #found == most and found[#found]
  for _, child in ipairs(found) do
    seen[child] = true
    if new[child] ~= false then list[#list + 1] = child end
  end
  for child, isThere in pairs(new) do
    if isThere and not seen[child] and child > (after or '') and (not last or child < last) then list[#list + 1] = child end
  end
  table.sort(list)
  return list, last
end

-- Whether `ancestor` must end before the task may run, by way of open edges.
function edges.waitsFor(id, ancestor)
  local seen, stack = {}, { id }
  while #stack > 0 do
    local top = table.remove(stack)
    if top == ancestor then return true end
    if not seen[top] then
      seen[top] = true
      for parent, letter in pairs(edges.all(top)) do
        if letter == 'o' then stack[#stack + 1] = parent end
      end
    end
  end
  return false
end

-- A judge has decided that no parent holds the task back any more.
function edges.letGo(child)
  for parent, letter in pairs(edges.all(child)) do
    if letter ~= 'd' then edges.set(child, parent, 'd') end
  end
end

-- Edges go with their child; of a parent that goes only those stay that failed, for the verdict on the child.
function edges.forget(id, task)
  if string.find(task[ASIDE], 'd', 1, true) then
    for parent in pairs(edges.all(id)) do
      edges.set(id, parent, false)
      set(scores, 'children:' .. parent, id, false)
    end
  end
  -- Without asking the head: a task that was enqueued under the id of a parent that restored ones have named knows of no children.
  if not edges.passed[id] then edges.leaveChildren(id, edges.childrenOf(id)) end
end

function edges.leaveChildren(id, children)
  for _, child in ipairs(children) do
    if edges.of(child, id) ~= 'f' then
      edges.set(child, id, false)
      set(scores, 'children:' .. id, child, false)
    end
  end
end

-- Who has ended asks for its parents no more: those that prune has passed for its sake stand in line again.
function edges.askBack()
  for _, id in ipairs(edges.done) do
    for _, dependency in ipairs(edges.dependsOn(id)) do
      local parent = dependency[1]
      load({ parent })
      local task = tasks[parent]
      if task and isFinished(task[STATE]) then set(scores, 'finished', parent, leavesAt(task)) end
    end
  end
  edges.done = {}
end

-- Whether one of these tasks is unfinished.
function edges.isAnyOpen(children)
  edges.load(children)
  for _, child in ipairs(children) do
    if tasks[child] and not isFinished(tasks[child][STATE]) then return true end
  end
  return false
end

-- Whether an unfinished task may still ask for the result of this one: "yes", "no", or "later" when there are too many to ask all of them
-- now. Who has more children than fit into a call leaves them part by part before it goes itself; `passed` says how far.
function edges.isNeeded(id)
  local size = call('ZCARD', prefix .. 'children:' .. id)
  if size == 0 then
    edges.passed[id] = true
    return 'no'
  end
  local passed = call('HGET', prefix .. 'passed', id)
  local isLarge = passed or size > limits.releaseMax
  if edges.left <= 0 or (not isLarge and size > edges.left) then return 'later' end
  local children, more = edges.childrenOf(id, passed or '', edges.left)
  edges.left = edges.left - #children
  if edges.isAnyOpen(children) then
    if isLarge then set(puts, 'passed', id, false) end
    return 'yes'
  end
  if not isLarge then return 'no' end
  edges.leaveChildren(id, children)
  set(puts, 'passed', id, more)
  edges.passed[id] = not more
  return more and 'later' or 'no'
end
