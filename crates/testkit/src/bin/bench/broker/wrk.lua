-- The load: one question, again and again. Arguments: the key, and the mean pause of a connection between an answer
-- and its next question in milliseconds; 0 for none. Pauses are drawn as those of people who know nothing of each
-- other, so that many connections that pause long are close to an open loop.

function init(args)
    wrk.method = "POST"
    wrk.headers["Authorization"] = "Bearer " .. args[1]
    wrk.headers["Content-Type"] = "application/json"
    wrk.body = '{"model":"m","messages":[{"role":"user","content":"' .. string.rep("word ", 100) .. '"}]}'
    local mean = tonumber(args[2])
    if mean > 0 then
        math.randomseed(7)
        delay = function()
            return math.floor(-mean * math.log(1 - math.random()) + 0.5)
        end
    end
end

function done(summary, latency)
    local errors = summary.errors
    local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
    print(string.format("figures %d %d %d %.1f %.1f", summary.requests, summary.duration, failed,
        latency:percentile(50), latency:percentile(99)))
end
