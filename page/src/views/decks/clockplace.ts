/** From which width on the session's clock is in the bar at the top; else it is between the waveforms. */
export const CLOCK_IN_BAR_PX = 1560;
