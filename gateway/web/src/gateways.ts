/** The gateways that the server follows, on however many brokers, and what goes to each of them. Pure, as the model of one. */

import { Model, type Json, type Place } from "./model";

/** What has come of a STOP: whom it has reached, whom it has not, and who may still answer. */
export interface Outcome {
  reached: Model[];
  missed: Model[];
  waiting: Model[];
}

export class Gateways {
  models: Model[] = [new Model()];

  get first(): Model {
    return this.models[0] as Model;
  }

  /** A message with a `g` is of one gateway, any other of the server. Says whether there are other gateways now. */
  take(message: Json, now_ms: number): boolean {
    let changed = false;
    if (message.k === "hello") {
      const places = message.gateways as Place[];
      changed = places.length !== this.models.length || places.some(({ topic, broker }, i) => topic !== this.models[i]?.topic || broker !== this.models[i]?.broker);
      if (changed) this.models = places.map(({ topic, broker }, i) => new Model(i, topic, broker));
    }
    for (const model of this.models)
      if (message.g === undefined || message.g === model.index) model.take(message, now_ms);
      else model.heard_ms = now_ms;
    if (message.k !== "s") this.name();
    return changed;
  }

  /** The server is gone. */
  drop(): void {
    for (const model of this.models) {
      model.heard_ms = null;
      model.revision++;
    }
  }

  /** Under which topic it speaks, and where several do so under the same one, on which broker. */
  address(model: Model): string {
    return this.models.some((other) => other !== model && other.topic === model.topic) ? `${model.topic} @ ${model.broker}` : model.topic;
  }

  /** Whether every wrap in use, of all `models`, is vented; null when that is not known of one, or none is in use. */
  vented(now_ms: number, since_ms: number, models: readonly Model[] = this.models, told = true): boolean | null {
    const found = models.flatMap((model) => model.eachVented(now_ms, since_ms, told));
    if (found.includes(false)) return false;
    return found.length === 0 || found.includes(null) ? null : true;
  }

  /** What a STOP has come to by `answers`, one of each gateway, null while there is none. One of several that its broker calls offline is left out. */
  outcome(answers: (boolean | null)[]): Outcome {
    const { models } = this;
    const reached = models.filter((model) => answers[model.index] === true);
    const others = models.filter((model) => answers[model.index] !== true && (reached.length === 0 || model.gatewayOnline || model.brokerDown !== null));
    return { reached, missed: others.filter((model) => answers[model.index] === false), waiting: others.filter((model) => answers[model.index] !== false) };
  }

  /** What each calls itself, and its address before it has said so; those that call themselves the same are told apart by it. */
  private name(): void {
    const names = this.models.map((model) => model.bridge.info?.gateway ?? this.address(model));
    this.models.forEach((model, i) => {
      const name = names[i] as string;
      const alone = model.bridge.info === undefined || names.filter((other) => other === name).length === 1;
      model.title = alone ? name : `${name} (${this.address(model)})`;
    });
  }
}
