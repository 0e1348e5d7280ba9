// What an adapter imports, and before any library: it puts virtual time in place as it is loaded.
//
// serve() speaks the testee protocol (harness/testee/PROTOCOL.md) for a list of subjects.
import fs from 'node:fs';
import path from 'node:path';
import * as clock from './clock.mjs';
import { Mistake } from './outcomes.mjs';
import { Trial } from './trial.mjs';
import { drain, runInstant } from './turns.mjs';
import { claimOutput, linesRead, readLine, writeLine } from './wire.mjs';

export {
  Aggregate,
  Broken,
  Cancelled,
  Closed,
  Exit,
  Mistake,
  OperationError,
  Rejected,
  TimedOut,
} from './outcomes.mjs';
export { abortable } from './abortable.mjs';
export { after } from './after.mjs';

const protocol_oldest = 1;
const protocol_newest = 2;
const words = /^[A-Za-z0-9_-]+$/;

// What is not virtual, and was there before the first trial.
let resources_before = [];

let about = null;
let trial = null;
let instant_last = 0;

// Answers the harness until its input ends. `seeded`: a library draws random numbers on which its behaviour depends.
export function serve({ name, subjects, seeded = false }) {
  claimOutput();
  process.on('uncaughtException', (error) => {
    if (error instanceof Mistake) fail(error.message);
    else trial?.unhandled(error);
  });
  process.on('unhandledRejection', (reason) => {
    if (reason instanceof Mistake) fail(reason.message);
    else trial?.unhandled(reason);
  });
  try {
    about = { name, subjects, seeded };
    checkSubjects();
  } catch (error) {
    fail(error.message);
  }
  resources_before = resources();
  clock.realSetImmediate(listen);
}

// Reads and answers as long as that needs no turn of the event loop.
function listen() {
  try {
    for (;;) {
      const line = readLine();
      if (line === null) process.exit(0);
      if (!answer(parse(line))) return;
    }
  } catch (error) {
    fail(error instanceof Mistake ? error.message : error.stack);
  }
}

// False if the answer comes later, and listening goes on then.
function answer(message) {
  if ('hello' in message) return hello(message.hello);
  if ('begin' in message) return begin(message.begin);
  if ('instant' in message) return instant(message.instant);
  if ('end' in message) return end(message.end);
  throw new Mistake(`a message is unknown: ${JSON.stringify(message).slice(0, 200)}`);
}

function answerLater(message) {
  writeLine(message);
  listen();
}

function hello(asked) {
  const newest = asked.newest ?? asked.protocol; // all from `protocol` to this are spoken there
  if (asked.protocol > protocol_newest || newest < protocol_oldest) {
    throw new Mistake(
      `protocol ${asked.protocol} to ${newest} is not spoken here, but ${protocol_oldest} to ${protocol_newest}`,
    );
  }
  const libraries = about.subjects.flatMap((subject) => subject.libraries ?? []);
  writeLine({
    hello: {
      protocol: Math.min(newest, protocol_newest),
      name: about.name,
      language: `Node.js ${process.versions.node}`,
      libraries: Object.fromEntries(libraries.map((one) => [one, versionOf(one)])),
      turns: true,
      seeded: about.seeded,
      looks: true,
      checkpoint: false, // an operation that was aborted is a promise that is settled: nobody is there who goes on
      late: true,
      subjects: about.subjects.map(({ name, contract, features = [], cites, declines, retains }) => ({
        name, contract, features, cites, declines, retains,
      })),
    },
  });
  return true;
}

function begin({ trial: number, seed }) {
  trial?.end();
  trial = null;
  drain(() => {
    clock.reset();
    Math.random = randomNumbers(seed ?? 0);
    trial = new Trial(number, about.subjects);
    instant_last = 0;
    answerLater({ begun: { trial: number } });
  });
  return false;
}

function instant({ trial: number, number: which, now, run, commands = [] }) {
  checkTrial(number);
  if (which <= instant_last) throw new Mistake(`instant ${which} comes after instant ${instant_last}`);
  instant_last = which;
  const wrong = clock.setNow(now);
  if (wrong !== null) throw new Mistake(`instant ${which}: ${wrong}`);
  const running = trial;
  const told = () => ({
    instant: {
      trial: number,
      number: which,
      events: running.takeEvents(),
      deadline: clock.deadline(),
      later: clock.later(),
      looked_at: running.lookedAt(),
    },
  });
  const perform = (command) => running.perform(command);
  if (run) {
    runInstant(
      Trial.inOrder(commands),
      perform,
      (error) => running.unhandled(error),
      () => answerLater(told()),
    );
    return false;
  }
  commands.forEach(perform);
  const message = told();
  checkImmediate(commands, message.instant.events);
  writeLine(message);
  return true;
}

function end({ trial: number }) {
  checkTrial(number);
  const left = [...trial.end(), ...clock.left(), ...escaped()];
  clock.reset();
  trial = null;
  writeLine({ ended: { trial: number, left } });
  return true;
}

function checkTrial(number) {
  if (trial === null || trial.number !== number) throw new Mistake(`trial ${number} is not under way`);
}

// Without a run nothing can end but what is immediate.
function checkImmediate(commands, events) {
  for (const command of commands) {
    const ended = ({ done, refused }) => done === command.call || refused === command.call;
    if ('call' in command && !events.some(ended)) {
      throw new Mistake(`the method ${command.method} has to be immediate, and returned a promise`);
    }
  }
}

function checkSubjects() {
  if (!words.test(about.name)) throw new Mistake(`${JSON.stringify(about.name)} is no name for a testee`);
  const seen = new Set();
  for (const { name, contract, features = [], cites, make } of about.subjects) {
    if (!words.test(name)) throw new Mistake(`${JSON.stringify(name)} is no name for a subject`);
    if (seen.has(name)) throw new Mistake(`there are two subjects ${name}`);
    seen.add(name);
    if (typeof contract !== 'string') throw new Mistake(`the subject ${name} names no contract`);
    if (typeof make !== 'function') throw new Mistake(`the subject ${name} has no function make`);
    if (!Array.isArray(features)) throw new Mistake(`the features of the subject ${name} are no list`);
    if (typeof cites !== 'string') throw new Mistake(`the subject ${name} cites nothing for what it claims`);
  }
}

function parse(line) {
  let message;
  try {
    message = JSON.parse(line);
  } catch (error) {
    throw new Mistake(`line ${linesRead()} of the input is not JSON: ${error.message}`);
  }
  if (message === null || typeof message !== 'object' || Array.isArray(message)) {
    throw new Mistake(`line ${linesRead()} of the input is no JSON object`);
  }
  return message;
}

// The one line that is no answer, and the end.
function fail(text) {
  writeLine({ error: text });
  process.stderr.write(`${text}\n`);
  process.exit(1);
}

// What waits for something real, where no virtual time can reach it.
function resources() {
  return process.getActiveResourcesInfo().filter((one) => !['Immediate', 'CloseReq'].includes(one));
}

function escaped() {
  const before = [...resources_before];
  return resources()
    .filter((one) => {
      const known = before.indexOf(one);
      if (known >= 0) before.splice(known, 1);
      return known < 0;
    })
    .map((one) => `a real ${one}, which does not wait for virtual time`);
}

// As Node finds a package for the program that was started.
function versionOf(library) {
  for (let folder = path.dirname(process.argv[1]); ; folder = path.dirname(folder)) {
    const file = path.join(folder, 'node_modules', library, 'package.json');
    if (fs.existsSync(file)) return JSON.parse(fs.readFileSync(file, 'utf8')).version;
    if (folder === path.dirname(folder)) throw new Mistake(`the package ${library} is not installed: run npm ci`);
  }
}

// Math.random of a trial: mulberry32.
function randomNumbers(seed) {
  let state = seed >>> 0;
  return function random() {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
