// One trial: the subjects made in it, the operations in flight, and what has happened.
import { Cancelled, Mistake, errorOf, outcomeOf, valueOutcome } from './outcomes.mjs';

// What JavaScript itself throws at wrong code. A library may throw one on purpose; its adapter translates it then.
const mistakes = [TypeError, ReferenceError, SyntaxError];

export class Trial {
  #events = [];
  #objects = new Map(); // by the numbers that the harness gave: {object, subject, look}
  #operations = new Map(); // those that have not ended: {what, controller}
  #asked = new Set(); // every call of this trial
  #callbacks = new Map(); // those that wait for a reply: {what, resolve, reject}
  #callback_last = 0;
  #over = false;

  constructor(number, subjects) {
    this.number = number;
    this.subjects = subjects;
  }

  // The commands of one instant, none to be done before the one that it depends on: whoever lets turns pass before a
  // command may let more pass before the call than before its cancel.
  static inOrder(commands) {
    const called = new Map();
    return commands.map((command) => {
      const after = command.after ?? 0;
      if ('call' in command) called.set(command.call, after);
      const call_after = called.get(command.cancel) ?? 0;
      return call_after > after ? { ...command, after: call_after } : command;
    });
  }

  // What has happened since it was asked last.
  takeEvents() {
    const events = this.#events;
    this.#events = [];
    return events;
  }

  // What the queries say that are looked at, by object; undefined if none are. One that cannot say is left out.
  lookedAt() {
    const seen = {};
    for (const [id, { object, look }] of this.#objects) {
      if (look === undefined) continue;
      seen[id] = Object.fromEntries(look.map((query) => [query, valueOf(object, query)]));
    }
    return Object.keys(seen).length === 0 ? undefined : seen;
  }

  perform(command) {
    if ('make' in command) this.#make(command);
    else if ('call' in command) this.#call(command);
    else if ('cancel' in command) this.#cancel(command);
    else if ('reply' in command) this.#reply(command);
    else if ('destroy' in command) this.#destroy(command);
    else throw new Mistake(`a command is unknown: ${JSON.stringify(command)}`);
  }

  // A failure that reached nobody.
  unhandled(error) {
    if (mistakes.includes(error?.constructor)) process.stderr.write(`${error.stack}\n`);
    this.#events.push({ unhandled: outcomeOf(error) });
  }

  // What has not ended. What it does from now on is nobody's business, mistakes included.
  end() {
    this.#over = true;
    return [
      ...[...this.#operations.values()].map(({ what }) => `the operation ${what}`),
      ...[...this.#callbacks.values()].map(({ what }) => `the callback ${what}`),
    ];
  }

  #make({ make: id, subject: name, config, look }) {
    const subject = this.subjects.find((one) => one.name === name);
    if (subject === undefined) throw new Mistake(`there is no subject ${JSON.stringify(name)}`);
    this.#newId(id);
    const what = `${name}.make`;
    let object;
    try {
      object = subject.make(this.#env(id), config ?? {});
    } catch (error) {
      this.#done(id, what, this.#thrown(what, error));
      return;
    }
    if (isThenable(object)) throw new Mistake(`${what} has to be immediate, and returned a promise`);
    if (object === null || typeof object !== 'object') throw new Mistake(`${what} returned no object`);
    this.#objects.set(id, { object, subject: name, look });
    this.#done(id, what, { kind: 'value' });
  }

  #call({ call: id, on, method, args }) {
    const { object, subject } = this.#object(on, `call ${id}`);
    this.#newId(id);
    const what = `${subject}.${method}`;
    if (typeof object[method] !== 'function' || method in Object.prototype) {
      this.#events.push({ refused: id, why: `${subject} has no method ${method}` });
      return;
    }
    const controller = new AbortController();
    let result;
    try {
      result = object[method](args ?? {}, controller.signal);
    } catch (error) {
      this.#done(id, what, this.#thrown(what, error));
      return;
    }
    if (!isThenable(result)) {
      this.#done(id, what, this.#value(what, result));
      return;
    }
    this.#operations.set(id, { what: `${id}, ${what}`, controller });
    result.then(
      (value) => this.#done(id, what, this.#value(what, value)),
      (error) => this.#done(id, what, this.#thrown(what, error)),
    );
  }

  #cancel({ cancel: id }) {
    if (!this.#asked.has(id)) throw new Mistake(`cancel of ${id}, which was not called`);
    this.#operations.get(id)?.controller.abort(new Cancelled());
  }

  #reply({ reply: id, outcome }) {
    const callback = this.#callbacks.get(id);
    if (callback === undefined) throw new Mistake(`reply to ${id}, which does not wait for one`);
    this.#callbacks.delete(id);
    const error = errorOf(outcome);
    if (error === null) callback.resolve(outcome.value ?? null);
    else callback.reject(error);
  }

  #destroy({ destroy: id }) {
    const { object } = this.#object(id, 'destroy');
    this.#objects.delete(id);
    object.destroy?.();
  }

  // What a subject calls; see README.md.
  #env(on) {
    return {
      call: (name, args = {}, signal = undefined) => this.#ask(on, name, args, signal),
      tell: (name, args = {}) => void this.#events.push({ tell: name, on, args: this.#json(`tell ${name}`, args) }),
      unhandled: (error) => this.unhandled(error),
    };
  }

  #ask(on, name, args, signal) {
    const id = ++this.#callback_last;
    this.#events.push({ callback: id, on, name, args: this.#json(`callback ${name}`, args) });
    return new Promise((resolve, reject) => {
      const stop = () => {
        if (this.#callbacks.has(id)) this.#events.push({ cancel: id });
      };
      this.#callbacks.set(id, { what: `${id}, ${name}(${JSON.stringify(args)})`, resolve, reject });
      if (signal?.aborted) stop();
      else signal?.addEventListener('abort', stop, { once: true });
    });
  }

  #done(id, what, outcome) {
    this.#operations.delete(id);
    this.#events.push({ done: id, outcome: this.#json(what, outcome) });
  }

  #value(what, value) {
    return valueOutcome(this.#json(what, value));
  }

  #thrown(what, error) {
    if (error instanceof Mistake) throw error;
    if (!this.#over && mistakes.includes(error?.constructor)) {
      throw new Mistake(`${what} threw, which is taken for a mistake in the adapter: ${error.stack}`);
    }
    return outcomeOf(error);
  }

  // A copy as the harness will see it: what an adapter changes later does not reach an event that has happened.
  #json(what, value) {
    if (value === undefined) return undefined;
    const wrong = findUnwritable(value);
    if (wrong !== null && !this.#over) throw new Mistake(`${what}: ${wrong} cannot be written as JSON`);
    return JSON.parse(JSON.stringify(value));
  }

  #object(id, by) {
    const made = this.#objects.get(id);
    if (made === undefined) throw new Mistake(`${by} is on object ${id}, which was not made or is destroyed`);
    return made;
  }

  #newId(id) {
    if (!Number.isSafeInteger(id)) throw new Mistake(`${JSON.stringify(id)} is no number for an operation`);
    if (this.#asked.has(id)) throw new Mistake(`the number ${id} was used before`);
    this.#asked.add(id);
  }
}

// What a query says: undefined if it fails, which whoever calls it hears of, or if it cannot be written.
function valueOf(object, query) {
  try {
    const value = object[query]({}) ?? null;
    return findUnwritable(value) === null ? value : undefined;
  } catch {
    return undefined;
  }
}

const isThenable = (value) => typeof value?.then === 'function';

// What JSON would change without a word, or refuse.
function findUnwritable(value) {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return null;
  if (typeof value === 'number') return Number.isSafeInteger(value) ? null : `the number ${value}`;
  if (Array.isArray(value)) return value.map(findUnwritable).find((wrong) => wrong !== null) ?? null;
  if (Object.getPrototypeOf(value ?? 0) === Object.prototype) {
    return findUnwritable(Object.values(value).filter((one) => one !== undefined));
  }
  return `a value of type ${value?.constructor?.name ?? typeof value}`;
}
