/**
 * The offset from the server's clock to ours, by the sliding minima of what both ways take. Pure.
 *
 * The quickest message of the last minute was delayed least, and so was the quickest ping; what is left
 * of both is taken for equal. Each way has a minimum of its own: on a busy device messages are read
 * late, and no whole round trip is quick.
 */

const WINDOW_S = 60;

interface Sample {
  at: number;
  excess: number;
}

class SlidingMinimum {
  private samples: Sample[] = []; // rising in time and in excess

  add(at: number, excess: number) {
    const isBetter = (sample: Sample) => sample.excess < excess && sample.at >= at - WINDOW_S;
    this.samples = [...this.samples.filter(isBetter), { at, excess }];
  }

  get value(): number | undefined {
    return this.samples[0]?.excess;
  }
}

export class ServerClock {
  private delay = new SlidingMinimum();
  private uplink = new SlidingMinimum();

  /** Take a message in that was sent at `time_s` of the server and arrived at `arrival_s` of ours. */
  add(time_s: number, arrival_s: number) {
    this.delay.add(arrival_s, arrival_s - time_s);
  }

  /** Take the answer to a ping in, which we sent at `sent_s`. */
  addPong(time_s: number, sent_s: number, arrival_s: number) {
    this.add(time_s, arrival_s);
    this.uplink.add(arrival_s, time_s - sent_s);
  }

  /** Forget everything: another server, or a sleep that stopped one of the clocks. */
  reset() {
    this.delay = new SlidingMinimum();
    this.uplink = new SlidingMinimum();
  }

  /** Ours minus the server's, in seconds; undefined before the first message. */
  get offset_s(): number | undefined {
    const delay = this.delay.value;
    const uplink = this.uplink.value;
    return delay === undefined || uplink === undefined ? delay : (delay - uplink) / 2;
  }

  /** Return the server's time at one of ours; ours itself before the first message. */
  serverTime(now_s: number): number {
    return now_s - (this.offset_s ?? 0);
  }
}
