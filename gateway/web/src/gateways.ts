/** The gateways that the server follows, and what goes to each of them. Pure, as the model of one. */

import { Model, type Json } from "./model";

export class Gateways {
  models: Model[] = [new Model()];

  get first(): Model {
    return this.models[0] as Model;
  }

  /** A message with a `g` is of one gateway, any other of the server. Says whether there are other gateways now. */
  take(message: Json, now_ms: number): boolean {
    let changed = false;
    if (message.k === "hello") {
      const topics = message.base_topics as string[];
      changed = topics.length !== this.models.length || topics.some((topic, i) => topic !== this.models[i]?.baseTopic);
      if (changed) this.models = topics.map((topic, i) => new Model(i, topic));
    }
    for (const model of this.models)
      if (message.g === undefined || message.g === model.index) model.take(message, now_ms);
      else model.heard_ms = now_ms;
    return changed;
  }

  /** The server is gone. */
  drop(): void {
    for (const model of this.models) {
      model.heard_ms = null;
      model.revision++;
    }
  }

  /** Whether every wrap in use, of whichever gateway, is vented; null when that is not known of one, or none is in use. */
  vented(now_ms: number, since_ms: number): boolean | null {
    const found = this.models.flatMap((model) => model.eachVented(now_ms, since_ms));
    if (found.includes(false)) return false;
    return found.length === 0 || found.includes(null) ? null : true;
  }

  /** Whether a STOP has got through: every gateway that is there has said so, and at least one did. */
  stopped(answers: boolean[]): boolean {
    return answers.some((ok) => ok) && this.models.every((model, i) => answers[i] === true || (!model.gatewayOnline && this.models.length > 1));
  }
}
