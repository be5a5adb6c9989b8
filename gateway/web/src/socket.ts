/** The one connection to the server: made again by itself, and known to be dead when nothing is heard. Requests get their answer or a reason. */

import type { Json } from "./model";
import { SILENCE_MS } from "./model";

export type Answer = { ok: boolean; value: Json | null; why: string | null };

/** Asks a gateway. Never throws, always answers. */
export interface Asker {
  ask(command: string, body?: Json, check?: Json): Promise<Answer>;
}

const RETRY_MS = 700;
const BEAT_MS = 1000;
/** Longer than the server waits for the gateway. */
const ANSWER_MS = 150_000;

export class Connection {
  private socket: WebSocket | null = null;
  private number = 0;
  private readonly pending = new Map<number, (answer: Answer) => void>();
  private heard_ms = 0;

  constructor(
    private readonly onMessage: (message: Json) => void,
    private readonly onDown: () => void,
  ) {}

  start(): void {
    this.open();
    setInterval(() => {
      const socket = this.socket;
      if (socket === null) return;
      // A socket may be dead without anybody saying so.
      if (performance.now() - this.heard_ms > 2 * SILENCE_MS) this.drop(socket);
      else if (socket.readyState === WebSocket.OPEN) socket.send('{"beat":1}');
    }, BEAT_MS);
  }

  /** Whoever asks one gateway, by its place in what the server said hello with. */
  to(gateway: number): Asker {
    return { ask: (command, body, check) => this.ask(gateway, command, body, check) };
  }

  private ask(gateway: number, command: string, body: Json = {}, check?: Json): Promise<Answer> {
    const socket = this.socket;
    if (socket === null || socket.readyState !== WebSocket.OPEN) return Promise.resolve({ ok: false, value: null, why: "no_connection" });
    const id = ++this.number;
    return new Promise((resolve) => {
      this.pending.set(id, resolve);
      setTimeout(() => this.settle(id, { ok: false, value: null, why: "no_answer" }), ANSWER_MS);
      socket.send(JSON.stringify({ id, command, gateway, body, ...(check === undefined ? {} : { check }) }));
    });
  }

  private open(): void {
    const socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/socket`);
    this.socket = socket;
    this.heard_ms = performance.now();
    socket.onmessage = (event: MessageEvent<string>) => {
      if (socket !== this.socket) return;
      this.heard_ms = performance.now();
      const message = JSON.parse(event.data) as Json;
      if (message.k === "answer") this.takeAnswer(message);
      this.onMessage(message);
    };
    socket.onclose = () => this.drop(socket);
  }

  private drop(socket: WebSocket): void {
    if (socket !== this.socket) return;
    this.socket = null;
    socket.close();
    for (const id of [...this.pending.keys()]) this.settle(id, { ok: false, value: null, why: "no_connection" });
    this.onDown();
    setTimeout(() => this.open(), RETRY_MS);
  }

  private takeAnswer(message: Json): void {
    if (typeof message.id !== "number") return;
    if (typeof message.fail === "string") this.settle(message.id, { ok: false, value: null, why: message.fail });
    else {
      const value = message.v as Json;
      this.settle(message.id, { ok: value.status === "ok", value, why: (value.error as string | null) ?? null });
    }
  }

  private settle(id: number, answer: Answer): void {
    this.pending.get(id)?.(answer);
    this.pending.delete(id);
  }
}
