import { eventually } from './eventually.ts';
import { type Behaviour, ok, type ReceivedRequest, type Receiver } from './receiver.ts';

/** One receiver for many endpoints: each has a path, its own behaviour and its own part of the ledger. */
export interface ReceiverPaths {
  url(path: string): string;
  /** `index` counts the requests of this path. */
  behave(path: string, behaviour: Behaviour): void;
  at(path: string): readonly ReceivedRequest[];
  received(path: string, count: number): Promise<readonly ReceivedRequest[]>;
}

export function receiverPaths(receiver: Receiver): ReceiverPaths {
  const behaviours = new Map<string, Behaviour>();
  const at = (path: string) => receiver.requests.filter((request) => request.path === path);
  receiver.behave((request, response) => {
    (behaviours.get(request.path) ?? ok)(request, response, at(request.path).length - 1);
  });
  return {
    url: (path) => `${receiver.url}${path}`,
    behave: (path, behaviour) => void behaviours.set(path, behaviour),
    at,
    received: (path, count) =>
      eventually(
        async () => at(path),
        (requests) => requests.length >= count,
      ),
  };
}

/** Answers with these statuses in turn, the last one for ever. */
export function statuses(...codes: readonly number[]): Behaviour {
  return (_request, response, index) => void response.writeHead(codes[Math.min(index, codes.length - 1)]!).end();
}
