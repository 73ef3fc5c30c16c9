import { once } from "node:events";
import { createServer } from "node:http";
import { Queue } from "./queue.js";

/** @typedef {{ request: import("node:http").IncomingMessage, response: import("node:http").ServerResponse }} Visit */

/** An HTTP server that passes each request to the test, which answers it. */
export class StreamServer {
  /** @type {Queue<Visit>} */
  visits = new Queue();
  #server = createServer((request, response) => this.visits.push({ request, response }));

  /** @param {number} [port] */
  static async start(port = 0) {
    const server = new StreamServer();
    server.#server.listen(port, "127.0.0.1");
    await once(server.#server, "listening");
    return server;
  }

  get port() {
    return /** @type {import("node:net").AddressInfo} */ (this.#server.address()).port;
  }

  get url() {
    return `http://127.0.0.1:${this.port}/sse/stream`;
  }

  /** Return the next request, after sending the headers of a stream. */
  async stream() {
    const visit = await this.visits.next();
    visit.response.writeHead(200, { "Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-store" });
    visit.response.flushHeaders();
    return visit;
  }

  /**
   * @param {number} status
   * @param {Record<string, string>} [headers]
   */
  async answer(status, headers = {}) {
    const visit = await this.visits.next();
    visit.response.writeHead(status, headers).end(status === 204 ? undefined : "an answer");
    return visit;
  }

  /** Cut all connections, and close the port. */
  async kill() {
    const closed = once(this.#server, "close");
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }
}
