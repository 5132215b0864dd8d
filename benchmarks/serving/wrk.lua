-- Sends requests from a file in turn, and counts every answer by its body.
-- The file named by the first argument holds each request as its size, a line break, and its bytes.
-- What was seen goes to the file that WRK_SEEN names, answers in the same form.

local threads = {}

function setup(thread)
   table.insert(threads, thread)
end

function init(arguments)
   requests, seen, refused, at = {}, {}, 0, 0
   local file = assert(io.open(arguments[1], "rb"))
   while true do
      local size = file:read("*n")
      if not size then break end
      file:read(1)
      requests[#requests + 1] = file:read(size)
   end
   file:close()
end

function request()
   at = at % #requests + 1
   return requests[at]
end

function response(status, headers, body)
   if status == 200 then
      seen[body] = (seen[body] or 0) + 1
   else
      refused = refused + 1
   end
end

function done(summary, latency, _)
   local errors, refusals = summary.errors, 0
   local file = assert(io.open(os.getenv("WRK_SEEN"), "wb"))
   for _, thread in ipairs(threads) do
      refusals = refusals + thread:get("refused")
   end
   local failed = errors.connect + errors.read + errors.write + errors.timeout + refusals
   file:write(string.format("%d %d %d %d %d\n", summary.requests, summary.duration,
      latency:percentile(50), latency:percentile(99), failed))
   for _, thread in ipairs(threads) do
      for body, count in pairs(thread:get("seen")) do
         file:write(string.format("%d %d\n", count, #body), body)
      end
   end
   file:close()
end
