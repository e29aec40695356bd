/** The camera, shown in the viewfinder until a picture is taken. */

import { UserError } from "../engine/errors";
import { element } from "./elements";

/** Throws a `UserError` where the browser has no camera, or does not allow it. */
export async function startCamera(): Promise<void> {
  const video = cameraVideo();
  try {
    if (!navigator.mediaDevices) throw new Error("browsers allow cameras only over https or on this machine");
    video.srcObject = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
    await video.play();
  } catch (error) {
    throw new UserError(`the camera cannot be used (${(error as Error).message}); allow it, or choose a photograph`);
  }
  element("viewfinder").hidden = false;
}

export function stopCamera(): void {
  const video = cameraVideo();
  for (const track of (video.srcObject as MediaStream | null)?.getTracks() ?? []) track.stop();
  video.srcObject = null;
  element("viewfinder").hidden = true;
}

export function cameraVideo(): HTMLVideoElement {
  return element<HTMLVideoElement>("video");
}
