import type { HttpRequest, KafkaMessage, RabbitmqMessage } from './prepare.ts';
import type { Sender } from './sender.ts';

export interface Senders {
  readonly http: Sender<HttpRequest>;
  readonly kafka: Sender<KafkaMessage>;
  readonly rabbitmq: Sender<RabbitmqMessage>;
}

/** One sender of many: each request goes out by the one for its destination. */
export function routeSender({ http, kafka, rabbitmq }: Senders): Sender {
  return {
    send(request, onOutcome) {
      switch (request.type) {
        case 'http':
          return http.send(request, onOutcome);
        case 'kafka':
          return kafka.send(request, onOutcome);
        case 'rabbitmq':
          return rabbitmq.send(request, onOutcome);
      }
    },
    abortAll: () => http.abortAll() + kafka.abortAll() + rabbitmq.abortAll(),
    async close() {
      await Promise.all([http.close(), kafka.close(), rabbitmq.close()]);
    },
    get inFlight() {
      return http.inFlight + kafka.inFlight + rabbitmq.inFlight;
    },
  };
}
