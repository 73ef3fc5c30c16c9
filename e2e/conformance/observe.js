/** The types of events that are compared: an `EventSource` tells of those only that are named to it. */
export const TYPES = ["message", "add", "end", "x:y", "Ä"];

/**
 * Follow a stream until it ends, or until the event `end`, and return what an implementation has made of it.
 *
 * @param {typeof import("./kit.js").follow} follow
 * @param {string} url
 * @param {{ comesBack?: boolean }} options `comesBack`: whether the stream is followed beyond its end
 */
export function observe(follow, url, { comesBack = false } = {}) {
  return new Promise((resolve) => {
    const events = [];
    const stop = (ended) => {
      close();
      resolve({ events, ended });
    };
    const close = follow(
      url,
      (type, data, lastEventId) => {
        if (TYPES.includes(type)) events.push([type, data, lastEventId]);
        if (type === "end") stop("by its event");
      },
      (isFinal) => {
        if (isFinal) stop("for good");
        else if (!comesBack) stop("to come back");
      },
    );
  });
}

/**
 * Compare two implementations over many streams, a few at a time.
 *
 * @param {(typeof import("./kit.js").follow)[]} follows
 * @param {string[]} urls
 * @returns {Promise<object[]>} those streams of which they make different things
 */
export async function compare(follows, urls) {
  const different = [];
  const work = async () => {
    for (let url = urls.pop(); url; url = urls.pop()) {
      const [one, other] = await Promise.all(follows.map((follow) => observe(follow, url)));
      if (JSON.stringify(one) !== JSON.stringify(other)) different.push({ url, one, other });
    }
  };
  await Promise.all([work(), work(), work()]);
  return different;
}
