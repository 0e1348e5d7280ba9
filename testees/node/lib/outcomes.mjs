// How operations end: what an adapter throws, and how that is written in the protocol.

// Something that ends an operation and is not a value. Adapters throw the classes below, or what they have been
// thrown themselves: OperationError, for one, is what a callback fails with, and goes back with its label.
class Outcome extends Error {
  constructor(kind, label) {
    super(label === undefined ? kind : `${kind}: ${label}`);
    this.name = this.constructor.name;
    this.kind = kind;
    this.label = label;
  }
  toOutcome() {
    return this.label === undefined ? { kind: this.kind } : { kind: this.kind, label: String(this.label) };
  }
}

export class Cancelled extends Outcome {
  constructor() {
    super('cancelled');
  }
}

export class Closed extends Outcome {
  constructor() {
    super('closed');
  }
}

export class TimedOut extends Outcome {
  constructor() {
    super('timed_out');
  }
}

// Refused without an effect: full, too late, an impossible argument.
export class Rejected extends Outcome {
  constructor(why) {
    super('rejected', why);
  }
}

// What it stood on is broken.
export class Broken extends Outcome {
  constructor(why) {
    super('broken', why);
  }
}

// An ordinary failure, told apart from others by its label.
export class OperationError extends Outcome {
  constructor(label) {
    super('error', label);
  }
}

// Several failures: `members` are [task, error] pairs.
export class Aggregate extends Outcome {
  constructor(members) {
    super('aggregate');
    this.members = members;
  }
  toOutcome() {
    return {
      kind: 'aggregate',
      members: this.members.map(([task, error]) => ({ task: String(task), what: outcomeOf(error) })),
    };
  }
}

// A wish to end the process.
export class Exit extends Outcome {
  constructor(status) {
    super('exit');
    this.status = status;
  }
  toOutcome() {
    return { kind: 'exit', status: this.status };
  }
}

// An adapter, or whoever called it, is wrong; the testee says so and ends.
export class Mistake extends Error {}

export function valueOutcome(value) {
  return value === undefined || value === null ? { kind: 'value' } : { kind: 'value', value };
}

// Writes down what was thrown. An error that is none of ours is an ordinary failure with its message as label,
// unless it is one of the platform's own words.
export function outcomeOf(error) {
  if (error instanceof Outcome) return error.toOutcome();
  if (error instanceof AggregateError) return new Aggregate(error.errors.map((one, i) => [i, one])).toOutcome();
  if (error?.name === 'AbortError') return { kind: 'cancelled' };
  if (error?.name === 'TimeoutError') return { kind: 'timed_out' };
  return { kind: 'error', label: error instanceof Error ? error.message : String(error) };
}

// The way back: what a callback that ended so throws; null if it ended well.
export function errorOf(outcome) {
  switch (outcome.kind) {
    case 'value':
      return null;
    case 'error':
      return new OperationError(outcome.label);
    case 'cancelled':
      return new Cancelled();
    case 'closed':
      return new Closed();
    case 'timed_out':
      return new TimedOut();
    case 'rejected':
      return new Rejected(outcome.label);
    case 'broken':
      return new Broken(outcome.label);
    case 'aggregate':
      return new Aggregate(outcome.members.map(({ task, what }) => [task, errorOf(what)]));
    case 'exit':
      return new Exit(outcome.status);
    default:
      throw new Mistake(`an outcome is of an unknown kind: ${JSON.stringify(outcome)}`);
  }
}
