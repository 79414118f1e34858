import type { Reader } from '@platformatic/kafka';

/** Methods of the client's reader that go on by a length that the peer says. */
const BY_LENGTH = ['skip', 'readNullableString', 'readNullableBytes', 'readVarIntBytes'] as const;

type Method = (this: Reader, ...values: unknown[]) => unknown;

const guarded = new WeakSet<object>();

/**
 * Makes the client's reader refuse lengths that lead backwards, or past the end of what arrived. The client believes whatever its peer
 * says, and the peer may be no broker at all: a few bytes could make it read the same element two thousand million times, until memory is
 * exhausted and the process ends. What the reader throws costs the connection (`guardFrames`). To be called wherever the client is loaded,
 * which is not before it is needed.
 */
export function guardReader({ prototype: reader }: typeof Reader): void {
  const prototype = reader as unknown as Record<string, Method>;
  if (guarded.has(prototype)) return;
  guarded.add(prototype);
  for (const name of BY_LENGTH) prototype[name] = forwards(prototype[name]!);
  prototype.readUnsignedVarInt = unsigned(prototype.readUnsignedVarInt!);
}

function forwards(method: Method): Method {
  return function (...values) {
    const before = this.position;
    const value = method.apply(this, values);
    if (this.position < before || this.position > this.buffer.length) throw malformed();
    return value;
  };
}

/** Five bytes make it negative: it is put together by shifts of 32 bits with a sign. */
function unsigned(method: Method): Method {
  return function () {
    const value = method.call(this) as number;
    if (value < 0) throw malformed();
    return value;
  };
}

function malformed(): Error {
  return new Error('the peer says lengths that cannot be: is it a broker?');
}
