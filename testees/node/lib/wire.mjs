// The two ends of the protocol: lines come in on standard input, and go out on a file descriptor of their own.
//
// Reading blocks, on purpose: while nothing is asked of the testee, nothing in it may happen.
import fs from 'node:fs';

const line_bytes_max = 16 * 1024 * 1024;
const newline = 0x0a;

let output = 1;
let pieces = [];
let lines = 0;

// Takes standard output for the protocol; whatever else prints there goes to standard error from now on.
export function claimOutput() {
  // Descriptors are given lowest first, so what is opened right after closing 1 becomes 1: then even code that
  // writes to the number is redirected. Not every kind of output can be opened again; a socket cannot.
  const errors = reopened(2);
  const own = errors === null ? null : reopened(1);
  if (own !== null) {
    fs.closeSync(1);
    if (reopened(2) !== 1) throw new Error('standard error did not become descriptor 1');
    output = own;
  }
  if (errors !== null) fs.closeSync(errors);
  const { stderr } = process; // made now, not when somebody prints: what it holds open is not a trial's
  Object.defineProperty(process, 'stdout', { configurable: true, enumerable: true, get: () => stderr });
}

function reopened(descriptor) {
  try {
    return fs.openSync(`/proc/self/fd/${descriptor}`, 'a');
  } catch (error) {
    if (['ENOENT', 'ENXIO', 'EACCES'].includes(error.code)) return null;
    throw error;
  }
}

// The next line without its end, or null when the input has ended.
export function readLine() {
  for (;;) {
    const line = takeLine();
    if (line !== null) return line;
    const piece = Buffer.allocUnsafe(64 * 1024);
    const size = persistently(() => fs.readSync(0, piece, 0, piece.length, null));
    if (size === 0) {
      if (pieces.length !== 0) throw new Error('standard input ended inside a line');
      return null;
    }
    pieces.push(piece.subarray(0, size));
    if (pieces.reduce((sum, one) => sum + one.length, 0) > line_bytes_max) throw new Error('a line is too long');
  }
}

function takeLine() {
  const last = pieces.at(-1);
  const end = last === undefined ? -1 : last.indexOf(newline);
  if (end < 0) return null;
  const line = Buffer.concat([...pieces.slice(0, -1), last.subarray(0, end)]).toString('utf8');
  pieces = end + 1 < last.length ? [last.subarray(end + 1)] : [];
  ++lines;
  return line;
}

// How many lines have been read, to name the one that is wrong.
export const linesRead = () => lines;

export function writeLine(message) {
  const bytes = Buffer.from(`${JSON.stringify(message)}\n`);
  for (let written = 0; written < bytes.length;) {
    written += persistently(() => fs.writeSync(output, bytes, written));
  }
}

// Whoever started us may have left the pipe non-blocking.
function persistently(call) {
  for (;;) {
    try {
      return call();
    } catch (error) {
      if (error.code === 'EOF') return 0;
      if (error.code !== 'EAGAIN') throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }
}
