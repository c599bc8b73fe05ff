export { type ChannelOptions, channel, plugin } from "./channel.ts";
