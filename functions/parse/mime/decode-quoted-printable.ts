// Quoted-printable (RFC 2045 §6.7) as a stream: linear, and it holds some bytes of a line at most. The decoder that
// comes with the MIME library collects a whole part first and is quadratic on runs of blanks.
import { Transform } from 'node:stream';

const [tab, lineFeed, carriageReturn, space, equals] = [0x09, 0x0a, 0x0d, 0x20, 0x3d];
/** Blanks that are held back until it shows whether they end a line; a longer run is taken as content. */
const maxHeldBytes = 1_024;

/** `plain`: blanks may be held. `escape`: an `=` is held, and perhaps a digit. `soft`: an `=` and blanks are. */
type State = { mode: 'plain' | 'escape' | 'soft'; readonly held: number[]; output: Buffer; length: number };

/** Makes the decoder. Tolerant (RFC 2045 §6.7, end): an `=` that begins no escape stands for itself. */
export function createQuotedPrintableDecoder(): Transform {
  const state: State = { mode: 'plain', held: [], output: Buffer.alloc(0), length: 0 };
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      state.output = Buffer.allocUnsafe(chunk.length + state.held.length);
      state.length = 0;
      for (const byte of chunk) take(state, byte);
      done(null, state.output.subarray(0, state.length));
    },
    flush(done) {
      // What is held at the end is a soft break without its line, or blanks that end the last line; or half an escape.
      state.output = Buffer.allocUnsafe(state.held.length);
      state.length = 0;
      if (state.mode === 'escape' && state.held.length > 1) release(state);
      done(null, state.output.subarray(0, state.length));
    },
  });
}

function take(state: State, byte: number): void {
  if (state.mode === 'plain') takePlain(state, byte);
  else if (state.mode === 'escape') takeEscape(state, byte);
  else takeSoftBreak(state, byte);
}

function takePlain(state: State, byte: number): void {
  if (byte === space || byte === tab) {
    hold(state, byte);
  } else if (byte === lineFeed || byte === carriageReturn) {
    state.held.length = 0; // rule 3: blanks at the end of a line were added on the way
    emit(state, byte);
  } else if (byte === equals) {
    release(state);
    state.held.push(byte);
    state.mode = 'escape';
  } else {
    if (state.held.length > 0) release(state);
    emit(state, byte);
  }
}

function takeEscape(state: State, byte: number): void {
  const [, first] = state.held;
  if (first === undefined && byte === lineFeed) forget(state);
  else if (first === undefined && (byte === space || byte === tab || byte === carriageReturn)) {
    state.mode = 'soft';
    state.held.push(byte);
  } else if (hexDigit(byte) < 0) giveUp(state, byte);
  else if (first === undefined) state.held.push(byte);
  else {
    emit(state, hexDigit(first) * 16 + hexDigit(byte));
    forget(state);
  }
}

function takeSoftBreak(state: State, byte: number): void {
  if (byte === lineFeed) forget(state);
  else if ((byte === space || byte === tab || byte === carriageReturn) && state.held.length < maxHeldBytes) {
    state.held.push(byte);
  } else giveUp(state, byte);
}

/** It was no escape: what was held stands for itself, and the byte is looked at anew. */
function giveUp(state: State, byte: number): void {
  release(state);
  state.mode = 'plain';
  takePlain(state, byte);
}

function forget(state: State): void {
  state.held.length = 0;
  state.mode = 'plain';
}

function hold(state: State, byte: number): void {
  if (state.held.length >= maxHeldBytes) release(state);
  state.held.push(byte);
}

function release(state: State): void {
  for (const byte of state.held) emit(state, byte);
  state.held.length = 0;
}

function emit(state: State, byte: number): void {
  state.output[state.length] = byte;
  state.length += 1;
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}
