-- Requests for wrk: each line of the file is one (token, method, path, body), dealt out to the threads.
-- Arguments: the file, the number of threads, "once" (each line is sent once) or "again" (from the start again), and
-- "keyed" if each request has an idempotency key of its own.
local next_thread = 0

function setup(thread)
  thread:set("number", next_thread)
  next_thread = next_thread + 1
  threads = threads or {}
  table.insert(threads, thread)
end

function init(args)
  lines, position, ok, created, conflict, busy, other, exhausted = {}, 0, 0, 0, 0, 0, 0, 0
  local count, of = 0, tonumber(args[2])
  again, keyed, sent = args[3] == "again", args[4] == "keyed", 0
  for line in io.lines(args[1]) do
    if count % of == number then
      lines[#lines + 1] = line
    end
    count = count + 1
  end
end

function request()
  position = position + 1
  if again and position > #lines then
    position = 1
  end
  local line = lines[position]
  if line == nil then
    exhausted = 1
    return wrk.format("GET", "/healthz")
  end
  local token, method, path, body = line:match("(%S+) (%S+) (%S+) (%S*)")
  local headers = { ["Authorization"] = "Bearer " .. token }
  if body == "" then
    return wrk.format(method, path, headers)
  end
  headers["Content-Type"] = "application/json"
  if keyed then
    sent = sent + 1
    headers["Idempotency-Key"] = number .. "-" .. sent
  end
  return wrk.format(method, path, headers, body)
end

function response(status)
  if status == 201 then created = created + 1
  elseif position > #lines then return
  elseif status == 200 then ok = ok + 1
  elseif status == 409 then conflict = conflict + 1
  elseif status == 503 then busy = busy + 1
  else other = other + 1 end
end

function done(summary, latency)
  local function sum(name)
    local total = 0
    for _, thread in ipairs(threads) do
      total = total + thread:get(name)
    end
    return total
  end
  local errors = summary.errors
  io.write(string.format('{"ok":%d,"created":%d,"conflict":%d,"busy":%d,"other":%d,"exhausted":%d,"unanswered":%d,' ..
    '"seconds":%.3f,"p50_ms":%.1f,"p95_ms":%.1f,"p99_ms":%.1f}\n',
    sum("ok"), sum("created"), sum("conflict"), sum("busy"), sum("other"), sum("exhausted"),
    errors.connect + errors.read + errors.write + errors.timeout, summary.duration / 1e6,
    latency:percentile(50) / 1e3, latency:percentile(95) / 1e3, latency:percentile(99) / 1e3))
end
