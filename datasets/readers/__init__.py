"""Readers of video files, raw video and images."""
