"""A film: one picture a segment, the programme's sound, and the captions, as MP4.

    grid       which frame is shown when; what is encoded by itself; which frames are drawn at all
    camera     where the camera is at a time: the slow zoom and pan
    canvas     a picture as the planes that a frame is cut from
    lettering  captions on the picture, with the spoken word highlighted
    drawing    frames, drawn from canvas, camera and lettering
    picture_track, sound_track   frames to H.264, the programme to AAC
    film       tracks, captions and chapters joined to one file; nothing is encoded again

`stages/video.py` says what of this is kept, and under which key.
"""
